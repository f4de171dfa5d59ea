//! As much of HTTP/1.1 as an API server speaks on one connection that is kept.

use std::{
    fmt,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};

use crate::{Result, kubeconfig::Server};

/// A request.
pub struct Request {
    method: &'static str,
    /// The path with its query.
    path: String,
    media_type: &'static str,
    body: Vec<u8>,
}

impl Request {
    /// Makes a request.
    pub fn new(
        method: &'static str,
        path: String,
        media_type: &'static str,
        body: Vec<u8>,
    ) -> Self {
        Self {
            method,
            path,
            media_type,
            body,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.method, self.path)
    }
}

/// A connection that is kept.
pub struct Connection(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Where the server cannot be reached, or is not the one that is trusted.
    pub fn open(server: &Server) -> Result<Self> {
        let (name, _) = server
            .host
            .rsplit_once(':')
            .ok_or("the server has no port")?;
        let name = ServerName::try_from(name.to_owned())?;
        let stream = TcpStream::connect(&server.host)?;
        stream.set_nodelay(true)?;
        let tls = ClientConnection::new(server.tls.clone(), name)?;
        Ok(Self(BufReader::new(StreamOwned::new(tls, stream))))
    }

    /// Sends a request, and reads the status and the body of its answer.
    ///
    /// # Errors
    /// Where the connection breaks, or the answer is none that this understands.
    pub fn exchange(&mut self, server: &Server, request: &Request) -> Result<(u16, Vec<u8>)> {
        let mut bytes = format!(
            "{request} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: application/json\r\n\
             content-type: {}\r\ncontent-length: {}\r\n\r\n",
            server.host,
            server.token,
            request.media_type,
            request.body.len()
        )
        .into_bytes();
        bytes.extend(&request.body);
        let stream = self.0.get_mut();
        stream.write_all(&bytes)?;
        stream.flush()?;
        let first = self.line()?;
        let status = first.split(' ').nth(1).ok_or("an answer without status")?;
        let status = status.parse()?;
        let mut length = None;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = Some(value.trim().parse()?);
            }
        }
        let mut body = Vec::new();
        match length {
            Some(length) => self.read(length, &mut body)?,
            // What has no length comes in chunks.
            None => while self.chunk(&mut body)? {},
        }
        Ok((status, body))
    }

    /// Reads a chunk; tells whether another one follows.
    fn chunk(&mut self, body: &mut Vec<u8>) -> Result<bool> {
        let length = usize::from_str_radix(&self.line()?, 16)?;
        self.read(length, body)?;
        self.line()?;
        Ok(length > 0)
    }

    fn read(&mut self, length: usize, body: &mut Vec<u8>) -> Result<()> {
        let start = body.len();
        body.resize(start + length, 0);
        Ok(self.0.read_exact(&mut body[start..])?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err("the server has closed the connection".into());
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}
