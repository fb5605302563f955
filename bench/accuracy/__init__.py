"""How accurate the forecasts are, beside everything simpler, on recorded data and the same hours."""
