"""What every stored version is, whatever was learnt: hashed files, a card, plots."""
