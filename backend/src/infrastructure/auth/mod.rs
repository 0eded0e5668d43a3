//! Who is calling: passwords, access tokens and the caller of a request.
