"""The recipe: data, seeing first, SFT, RL; from the released annotations or the renderer to a checkpoint that the app loads."""
