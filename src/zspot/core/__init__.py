"""What every other room uses: errors, planes, progress, random numbers."""
