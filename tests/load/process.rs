use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// This program in another role. It answers each line on its standard input by one of JSON, ends
/// when its input does, and is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts it.
    pub(crate) fn start(arguments: &[String]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let requests = child.stdin.take().context("its input is a pipe")?;
        let output = child.stdout.take().context("its output is a pipe")?;
        Ok(Self {
            child,
            requests,
            answers: BufReader::new(output).lines(),
        })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("a child has ended")
    }

    /// Asks for an answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        self.requests.write_all(b"\n").await?;
        self.answer().await
    }

    /// Waits for an answer that needs no question.
    pub(crate) async fn answer<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let line = timeout(PATIENCE, self.answers.next_line()).await;
        let line = line.context("a child does not answer")??;
        let line = line.context("a child has ended; see what it said above")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Lets it end; its last answer.
    pub(crate) async fn end<T: DeserializeOwned>(self) -> anyhow::Result<T> {
        let Self {
            mut child,
            requests,
            mut answers,
        } = self;
        drop(requests);
        let last = timeout(PATIENCE, answers.next_line()).await;
        let last = last.context("a child does not end")??;
        let status = timeout(PATIENCE, child.wait()).await??;
        ensure!(status.success(), "a child failed: {status}");
        Ok(serde_json::from_str(
            &last.context("a child said nothing at its end")?,
        )?)
    }
}

/// Joining 1,000 rooms on a busy machine takes minutes.
const PATIENCE: Duration = Duration::from_secs(240);
