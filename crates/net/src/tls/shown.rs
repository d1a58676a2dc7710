//! The names in a certificate that a client has shown.

use breakwater_router::ShownCertificate;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// `CN`, and the types of text that it may be: UTF8String, PrintableString, IA5String.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

/// The names in a certificate; `None` if it is none.
pub fn shown(certificate: &CertificateDer<'_>) -> Option<ShownCertificate> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    Some(ShownCertificate {
        common: common_names(certificate.subject()),
        uris: certificate.valid_uri_names().map(str::to_owned).collect(),
        dns: certificate.valid_dns_names().map(str::to_owned).collect(),
    })
}

/// Each `CN` of a subject: a sequence of sets of pairs.
fn common_names(mut subject: &[u8]) -> Vec<String> {
    let mut names = vec![];
    while let Some((_, mut set)) = element(&mut subject) {
        while let Some((_, mut pair)) = element(&mut set) {
            let kind = element(&mut pair);
            if let (Some((_, COMMON_NAME)), Some((tag, text))) = (kind, element(&mut pair))
                && TEXTS.contains(&tag)
                && let Ok(text) = str::from_utf8(text)
            {
                names.push(text.to_owned());
            }
        }
    }
    names
}

/// Takes an element of DER off, of less than 64 KB: its tag, and what is in it.
fn element<'a>(from: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, length, rest) = match **from {
        [tag, 0x81, length, ref rest @ ..] => (tag, usize::from(length), rest),
        [tag, 0x82, high, low, ref rest @ ..] => {
            (tag, usize::from(u16::from_be_bytes([high, low])), rest)
        }
        [tag, length @ ..=0x7f, ref rest @ ..] => (tag, usize::from(length), rest),
        _ => return None,
    };
    let (inside, behind) = rest.split_at_checked(length)?;
    *from = behind;
    Some((tag, inside))
}
