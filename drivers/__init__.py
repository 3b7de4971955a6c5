"""Device drivers: what an SLM, DMD, camera, laser and detector is, and one module per device family."""
