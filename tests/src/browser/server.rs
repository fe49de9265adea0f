//! A web server with a page and the files it plays, and ranges of them
//! ([RFC 9110 §14](https://www.rfc-editor.org/rfc/rfc9110#section-14)): without, nobody can seek.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A server on loopback.
#[derive(Debug)]
pub(super) struct Server {
    listener: TcpListener,
    files: Arc<[PathBuf]>,
}

/// A request of one connection; each has only one.
struct Request {
    path: String,
    range: Option<String>,
    body: Vec<u8>,
}

struct Response {
    status: &'static str,
    content_type: &'static str,
    range: Option<String>,
    body: Vec<u8>,
}

impl Server {
    pub(super) async fn start(files: &[PathBuf]) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let files = files.into();
        Ok(Self { listener, files })
    }

    pub(super) fn url(&self) -> String {
        let port = self
            .listener
            .local_addr()
            .map_or(0, |address| address.port());
        format!("http://127.0.0.1:{port}/")
    }

    /// Serves until the page tells its results.
    pub(super) async fn results(&self) -> anyhow::Result<Vec<u8>> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let files = Arc::clone(&self.files);
                    connections.spawn(serve(accepted?.0, files));
                }
                Some(served) = connections.join_next() => {
                    // A player closes connections whose rest it does not want: that is no error.
                    if let Ok(Ok(Some(results))) = served {
                        return Ok(results);
                    }
                }
            }
        }
    }
}

/// Answers a request; the results, if they are in it.
async fn serve(stream: TcpStream, files: Arc<[PathBuf]>) -> anyhow::Result<Option<Vec<u8>>> {
    let mut stream = BufReader::new(stream);
    let request = read(&mut stream).await?;
    let response = match &*request.path {
        "/" => Response::whole("text/html", PAGE.into()),
        "/files" => Response::whole("application/json", list(&files).into()),
        "/results" => Response::whole("text/plain", Vec::new()),
        path => file(path, request.range.as_deref(), &files).unwrap_or_else(Response::missing),
    };
    response.write(stream.get_mut()).await?;
    Ok((request.path == "/results").then_some(request.body))
}

async fn read(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let path = line.split(' ').nth(1).context("a request")?.to_owned();
    let (mut range, mut length) = (None, 0);
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match &*name.to_ascii_lowercase() {
            "range" => range = Some(value.to_owned()),
            "content-length" => length = value.parse()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Request { path, range, body })
}

/// The paths of the files: `["0.ogg"]`.
fn list(files: &[PathBuf]) -> String {
    let names = (0..files.len()).map(|index| format!("\"{index}\""));
    format!("[{}]", names.collect::<Vec<_>>().join(","))
}

/// The file with the number in `path`, or the range of it that is asked for.
fn file(path: &str, range: Option<&str>, files: &[PathBuf]) -> Option<Response> {
    let index: usize = path.strip_prefix('/')?.parse().ok()?;
    let file = files.get(index)?;
    let bytes = std::fs::read(file).ok()?;
    let content_type = content_type(file);
    let Some(range) = range else {
        return Some(Response::whole(content_type, bytes));
    };
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let last = last
        .parse()
        .unwrap_or(usize::MAX)
        .min(bytes.len().checked_sub(1)?);
    Some(Response {
        status: "206 Partial Content",
        content_type,
        range: Some(format!("bytes {first}-{last}/{}", bytes.len())),
        body: bytes.get(first..=last)?.to_vec(),
    })
}

fn content_type(file: &Path) -> &'static str {
    let name = file.to_string_lossy();
    match name.trim_end_matches(".part").rsplit('.').next() {
        Some("ogg") => "audio/ogg",
        Some("webm") => "video/webm",
        _ => "video/mp4",
    }
}

impl Response {
    fn whole(content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status: "200 OK",
            content_type,
            range: None,
            body,
        }
    }

    fn missing() -> Self {
        Self {
            status: "404 Not Found",
            ..Self::whole("text/plain", Vec::new())
        }
    }

    async fn write(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let range = self
            .range
            .iter()
            .map(|range| format!("content-range: {range}\r\n"));
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n{}accept-ranges: bytes\r\nconnection: close\r\n\r\n",
            self.status,
            self.content_type,
            self.body.len(),
            range.collect::<String>(),
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&self.body).await?;
        stream.shutdown().await
    }
}

const PAGE: &str = include_str!("page.html");
