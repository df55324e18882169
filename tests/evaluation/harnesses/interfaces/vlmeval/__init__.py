"""What of VLMEvalKit 0.2 our class touches, with the same names and arguments; it needs torchvision, which tests do without."""
