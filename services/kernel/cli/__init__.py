"""What every verb needs: where the installation is, and how answers are shown."""
