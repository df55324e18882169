"""The published data sets of MiniGPT-4 and MiniGPT-v2, read as they were published."""
