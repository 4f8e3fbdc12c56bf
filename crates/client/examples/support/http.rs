//! As much HTTP as an example needs: one request for each connection, without a body.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Answers requests until `stop` is ready, and finishes what has come by then. `answer` gets method and path.
pub(crate) async fn serve<T, F>(
    listener: TcpListener,
    answer: impl Fn(String, String) -> F + Clone + Send + 'static,
    stop: impl Future<Output = T>,
) -> T
where
    F: Future<Output = Option<String>> + Send + 'static,
{
    let (mut requests, mut stop) = (JoinSet::new(), pin!(stop));
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                requests.spawn(respond(stream, answer.clone()));
            }
            Some(_) = requests.join_next() => {}
            stopped = &mut stop => {
                requests.join_all().await;
                return stopped;
            }
        }
    }
}

async fn respond<F: Future<Output = Option<String>>>(
    stream: TcpStream,
    answer: impl Fn(String, String) -> F,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut request, mut header) = (String::new(), String::new());
    stream.read_line(&mut request).await?;
    // An empty line ends the head.
    while stream.read_line(&mut header).await? > 2 {
        header.clear();
    }
    let mut words = request.split_ascii_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, body) = match answer(method, path).await {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", String::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await
}

/// Asks for something, such as `GET /`; returns the body of a 200.
pub(crate) async fn request(server: SocketAddr, what: String) -> io::Result<String> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(format!("{what} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(io::Error::other(answer)),
    }
}
