"""Fast inference of imported networks beside nnU-Net's own labels."""
