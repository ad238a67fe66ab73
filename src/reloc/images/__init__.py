"""Reading and changing images and videos."""
