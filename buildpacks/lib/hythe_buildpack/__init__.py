"""What Hythe's own buildpacks share: layers, and what they print."""
