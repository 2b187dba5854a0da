"""The promise of a sandbox over HTTP, and SandboxFusion's dialect beside it: `python -m sandboxes serve`."""
