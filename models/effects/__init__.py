"""What acting on a customer is worth, learnt from campaigns that drew a control group by lot.

`trial` has the rows and their means, `basis` their features as columns, `effect_model` what is
learnt, `qini` whether it ranks. `plans` has what is assumed, `factors` by how much that is off;
`policy` puts a value on choosing by an effect, `treatment_effects` does all of it for a day.
"""
