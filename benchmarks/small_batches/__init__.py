"""Where the kernel's time goes when batches are small."""
