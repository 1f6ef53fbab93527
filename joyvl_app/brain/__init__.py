"""Who answers what the decider delegates."""
