"""What is done to a clip each time that it is heard, and the features that the network sees."""
