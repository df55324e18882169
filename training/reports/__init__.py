"""What a run shows of itself: sequences and memory before, answers meanwhile, the losses after."""
