//! Certificates for a test: an authority, and a server on this machine that it has signed.
//!
//! Come here for a certificate with other names.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::unique;

/// The files of an authority and of a server, removed with this value. All users may read them.
#[derive(Debug)]
pub struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    pub fn create() -> Self {
        let directory = std::env::temp_dir().join(unique("certificates"));
        std::fs::create_dir(&directory).expect("a directory");
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        // Another name than the server's, or OpenSSL takes the server's certificate for one that has signed itself.
        let name = &mut authority.distinguished_name;
        name.push(DnType::CommonName, "the authority of a test");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = authority.self_signed(&key).expect("a certificate");
        let issuer = Issuer::new(authority, key);
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let server = CertificateParams::new(names).expect("names");
        let server_key = KeyPair::generate().expect("a key");
        let server = server.signed_by(&server_key, &issuer);
        let certificates = Self { directory };
        for (file, content) in [
            (certificates.authority(), certificate.pem()),
            (certificates.server(), server.expect("signed").pem()),
            (certificates.key(), server_key.serialize_pem()),
        ] {
            std::fs::write(file, content).expect("a file");
        }
        certificates
    }

    /// The arguments of a Redis that speaks TLS on this port, separated by blanks.
    pub fn of_redis(&self, port: u16) -> String {
        let (certificate, key) = (self.server(), self.key());
        format!(
            "--tls-port {port} --tls-auth-clients no --tls-cert-file {} --tls-key-file {} --tls-ca-cert-file {}",
            certificate.display(),
            key.display(),
            self.authority().display()
        )
    }

    /// The certificate of the authority.
    pub fn authority(&self) -> PathBuf {
        self.directory.join("authority.pem")
    }

    /// The certificate of the server.
    pub fn server(&self) -> PathBuf {
        self.directory.join("server.pem")
    }

    /// The key of the server.
    pub fn key(&self) -> PathBuf {
        self.directory.join("server.key")
    }
}

/// The path as text.
pub fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
