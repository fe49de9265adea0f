(func $inspect (type $frame_call) (unreachable))
