//! A Redis of the test's own, and one connection to it.

use breakwater_resp::{ReplyParser, write_request};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// A server, until the test ends.
pub struct Redis {
    process: Child,
    socket: TcpStream,
    input: Vec<u8>,
}

impl Redis {
    /// Starts a server; `None`, said aloud, where none is installed, unless the environment demands
    /// one.
    pub fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let spawned = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::null())
            .spawn();
        let process = match spawned {
            Ok(process) => process,
            Err(error) => {
                let demanded = std::env::var("BREAKWATER_REQUIRE_REDIS").as_deref() == Ok("1");
                assert!(!demanded, "redis-server: {error}");
                eprintln!("redis-server is not installed: the test is skipped");
                return None;
            }
        };
        loop {
            if let Ok(socket) = TcpStream::connect(("127.0.0.1", port)) {
                return Some(Self { process, socket, input: vec![] });
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Sends a command; the bytes of its reply.
    pub fn ask(&mut self, words: &[impl AsRef<[u8]>]) -> Vec<u8> {
        let mut request = vec![];
        write_request(&mut request, words);
        self.socket.write_all(&request).unwrap();
        let mut parser = ReplyParser::default();
        loop {
            if let Some(frame) = parser.parse(&self.input).unwrap() {
                return self.input.drain(..frame.len).collect();
            }
            let mut piece = [0; 65_536];
            let count = self.socket.read(&mut piece).unwrap();
            assert!(count > 0, "the server hung up");
            self.input.extend_from_slice(&piece[..count]);
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
