"""What every method looks at: poses, views of frames, the scene's scale, swept depth."""
