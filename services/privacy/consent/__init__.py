"""What people agreed to: told by verb and over HTTP, shown, and applied to what was kept before it was heard."""
