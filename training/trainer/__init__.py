"""`Trainer` with the published stages: what learns, at which rate, on what; and resumed runs."""
