"""Models behind HTTP endpoints: asked, paced, paid for, remembered, recorded, calibrated."""
