"""K-space in, and out: fastMRI HDF5, ISMRMRD, BART, NumPy, Siemens twix; reading alone, physics does the rest."""
