"""Image formation: phantoms of known truth, the camera, and ``simulate``, which joins them with a PSF."""
