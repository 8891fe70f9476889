"""What the page's script asks for, screen by screen."""
