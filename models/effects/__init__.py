"""What acting on a customer is worth, learnt from campaigns that drew a control group by lot."""
