// Stands for the precompiled header of the tests, which belongs to a target and needs a source.
