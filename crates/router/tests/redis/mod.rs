//! A Redis of the test's own, and one connection to it.

use breakwater_resp::{ReplyParser, write_request};
use std::io::{self, Read, Write};
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
        loop {
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
            // Somebody else may have taken the port meanwhile: then another one is tried.
            if let Some(redis) = Self::meet(process, port) {
                return Some(redis);
            }
        }
    }

    /// A connection to a server that was just started; `None` if it has ended, or another one is there.
    fn meet(mut process: Child, port: u16) -> Option<Self> {
        loop {
            if process.try_wait().unwrap().is_some() {
                return None;
            }
            if let Ok(socket) = TcpStream::connect(("127.0.0.1", port)) {
                let own = format!("process_id:{}\r\n", process.id());
                let mut redis = Self { process, socket, input: vec![] };
                let info = redis.try_ask(&["INFO", "server"]).ok()?;
                return String::from_utf8_lossy(&info).contains(&own).then_some(redis);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Sends a command; the bytes of its reply.
    pub fn ask(&mut self, words: &[impl AsRef<[u8]>]) -> Vec<u8> {
        self.try_ask(words).unwrap()
    }

    fn try_ask(&mut self, words: &[impl AsRef<[u8]>]) -> io::Result<Vec<u8>> {
        let mut request = vec![];
        write_request(&mut request, words);
        self.socket.write_all(&request)?;
        let mut parser = ReplyParser::default();
        loop {
            let parsed = parser
                .parse(&self.input)
                .map_err(|error| io::Error::other(format!("{error:?}")))?;
            if let Some(frame) = parsed {
                return Ok(self.input.drain(..frame.len).collect());
            }
            let mut piece = [0; 65_536];
            match self.socket.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.input.extend_from_slice(&piece[..count]),
            }
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
