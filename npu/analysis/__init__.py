"""What a run took: cycles by layer, graph and unit, and an estimate of energy."""
