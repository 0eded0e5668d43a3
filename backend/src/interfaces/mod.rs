//! How the world reaches the service: the mount point of the API, and the health checks.
