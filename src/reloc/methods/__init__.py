"""The methods, side by side: each turns posed frames into a map."""
