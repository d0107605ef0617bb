"""What every stored version is, whatever was learnt: hashed files of a form, a card, plots."""
