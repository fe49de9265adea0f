use crate::plugins::contract::{Samples, Verdict};

/// The verdict, if it can go on: none where what replaces the frame has another format or length, or
/// holds what is no number.
pub(crate) fn check(verdict: Verdict, frame: &Samples) -> Option<Verdict> {
    let Verdict::Replace(samples) = &verdict else {
        return Some(verdict);
    };
    let (length, of_frame) = match (samples, frame) {
        (Samples::Int16(samples), Samples::Int16(frame)) => (samples.len(), frame.len()),
        (Samples::Float32(samples), Samples::Float32(frame)) => (samples.len(), frame.len()),
        (Samples::Int16(_), Samples::Float32(_)) | (Samples::Float32(_), Samples::Int16(_)) => {
            return None;
        }
    };
    (length == of_frame && is_finite(samples)).then_some(verdict)
}

fn is_finite(samples: &Samples) -> bool {
    match samples {
        Samples::Int16(_) => true,
        Samples::Float32(samples) => samples.iter().all(|sample| sample.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_samples_like_those_of_the_frame_go_on() {
        let frame = Samples::Float32(vec![0.5; 4]);
        for (samples, passes) in [
            (Samples::Float32(vec![1.0; 4]), true),
            (Samples::Float32(vec![1.0; 3]), false),
            (Samples::Float32(vec![1.0; 5]), false),
            (Samples::Float32(vec![]), false),
            (Samples::Int16(vec![1; 4]), false),
            (Samples::Float32(vec![0.0, f32::NAN, 0.0, 0.0]), false),
            (Samples::Float32(vec![0.0, 0.0, 0.0, f32::INFINITY]), false),
        ] {
            let checked = check(Verdict::Replace(samples.clone()), &frame);

            assert_eq!(checked.is_some(), passes, "{samples:?}");
        }
    }

    #[test]
    fn verdicts_without_samples_go_on() {
        let frame = Samples::Int16(vec![0; 4]);

        for verdict in [Verdict::Pass, Verdict::Silence, Verdict::Drop] {
            assert!(check(verdict, &frame).is_some());
        }
    }
}
