//! SRTP and SRTCP with AES-GCM, [RFC 3711](https://www.rfc-editor.org/rfc/rfc3711) and
//! [RFC 7714](https://www.rfc-editor.org/rfc/rfc7714).
