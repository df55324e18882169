"""What a saved folder or Hub id is, loaded and written in one way, and all that is known of the published families."""
