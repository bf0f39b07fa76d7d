"""What users give, as it is recorded: params, steps, points, datasets, moments. No I/O."""
