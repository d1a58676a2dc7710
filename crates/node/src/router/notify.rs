//! A message to a service manager: Node.js has no datagrams of this machine.

use crate::env::{Call, Env, Returns};
use crate::js::Fail;
use std::io;
use std::os::unix::net::UnixDatagram;

/// `sendDatagram(path, text)`: sends a text to the socket of this path; one that begins with `@` is a
/// name of Linux without a file. Whether it was sent.
pub fn send<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let js = call.js;
    let path = js.to_text(call.arg::<0>()).ok_or_else(Fail::argument)?;
    let text = js.to_text(call.arg::<1>()).ok_or_else(Fail::argument)?;
    js.boolean(try_send(&path, text.as_bytes()).is_ok())
}

fn try_send(path: &str, text: &[u8]) -> io::Result<usize> {
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold up the node.
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(name) = path.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::SocketAddr;
        return socket.send_to_addr(text, &SocketAddr::from_abstract_name(name)?);
    }
    socket.send_to(text, path)
}
