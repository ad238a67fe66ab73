"""Meta-training: features for which a head that is fitted in closed form localizes."""
