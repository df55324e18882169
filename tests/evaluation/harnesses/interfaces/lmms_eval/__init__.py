"""What of lmms-eval 0.7.3 our class touches, with the same names and arguments; it needs torchvision, which tests do without."""
