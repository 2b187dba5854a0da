"""SandboxFusion's dialect, both ways: routes that answer its clients, and a client for its servers.

Its shapes and rules are those of its version of 2025 (bytedance/SandboxFusion on GitHub); `docs/sandboxes.md` says
where ours differ, and why.
"""
