package rtmp

import "io"

// readCase is a stream of chunks and what a Reader makes of it. A nil err
// stands for io.EOF, zero limits for AcceptedLimits.
type readCase struct {
	name   string
	wire   []byte
	want   []Message
	err    error
	limits Limits
}

func (c readCase) withDefaults() readCase {
	if c.err == nil {
		c.err = io.EOF
	}
	if c.limits == (Limits{}) {
		c.limits = AcceptedLimits
	}
	return c
}

func message(kind MessageType, csid, stream, timestamp uint32, payload []byte) Message {
	return Message{Type: kind, ChunkStream: csid, Stream: stream, Timestamp: timestamp, Payload: payload}
}

func audio(csid, timestamp uint32, payload []byte) Message {
	return message(TypeAudio, csid, 1, timestamp, payload)
}

func video(csid, timestamp uint32, payload []byte) Message {
	return message(TypeVideo, csid, 1, timestamp, payload)
}

var headerCases = []readCase{
	{name: "nothing"},
	{
		name: "the chunk size is 128 at first",
		wire: wire("03 000000 0000A1 14 00000000", fill(161)[:128], "C3", fill(161)[128:]),
		want: []Message{message(TypeCommand, 3, 0, 0, fill(161))},
	},
	{
		name: "chunk stream ids of one byte",
		wire: wire("02 000000 000001 08 01000000 AF  03 000000 000001 08 01000000 AF  3F 000000 000001 08 01000000 AF"),
		want: []Message{audio(2, 0, []byte{0xAF}), audio(3, 0, []byte{0xAF}), audio(63, 0, []byte{0xAF})},
	},
	{
		name: "chunk stream ids of two bytes",
		wire: wire("00 00 000000 000001 08 01000000 AF  00 FF 000000 000001 08 01000000 AF"),
		want: []Message{audio(64, 0, []byte{0xAF}), audio(319, 0, []byte{0xAF})},
	},
	{
		name: "chunk stream ids of three bytes are little-endian",
		wire: wire("01 0001 000000 000001 08 01000000 AF  01 2D01 000000 000001 08 01000000 AF  01 FFFF 000000 000001 08 01000000 AF"),
		want: []Message{audio(320, 0, []byte{0xAF}), audio(365, 0, []byte{0xAF}), audio(65599, 0, []byte{0xAF})},
	},
	{
		name: "two and three bytes address the same chunk stream",
		wire: wire("00 00 000000 0000C8 09 01000000", fill(200)[:128], "C1 0000", fill(200)[128:]),
		want: []Message{video(64, 0, fill(200))},
	},
	{
		name: "the message stream id is little-endian",
		wire: wire("03 000000 000001 08 01020304 AF"),
		want: []Message{message(TypeAudio, 3, 0x04030201, 0, []byte{0xAF})},
	},
	{
		name: "OBS sends everything on one chunk stream",
		wire: wire(
			"04 000000 000003 12 01000000 020000", // metadata
			"44 000000 000002 09 1700",            // video header
			"44 000000 000002 08 AF00",            // audio header
			"44 000021 000003 09 170101",
			"84 000021 270102",
			"44 000002 000003 08 AF0121",
			"C4 AF0122",
			"44 000000 000001 14 02",
			"44 000001 000003 08 AF0123",
		),
		want: []Message{
			message(TypeData, 4, 1, 0, unhex("020000")),
			video(4, 0, unhex("1700")), audio(4, 0, unhex("AF00")),
			video(4, 33, unhex("170101")), video(4, 66, unhex("270102")),
			audio(4, 68, unhex("AF0121")), audio(4, 70, unhex("AF0122")),
			message(TypeCommand, 4, 1, 70, unhex("02")),
			audio(4, 71, unhex("AF0123")),
		},
	},
	{
		name: "chunk streams inherit from themselves only",
		wire: wire("04 00000A 000001 08 01000000 AF  06 000014 000002 09 02000000 2701  84 000001 AE  86 000002 2702"),
		want: []Message{
			audio(4, 10, []byte{0xAF}), message(TypeVideo, 6, 2, 20, unhex("2701")),
			audio(4, 11, []byte{0xAE}), message(TypeVideo, 6, 2, 22, unhex("2702")),
		},
	},
	{
		name: "librtmp starts the control stream with a header of type 1",
		wire: wire("42 000000 000006 04 000700000D0F"),
		want: []Message{message(TypeUserControl, 2, 0, 0, unhex("000700000D0F"))},
	},
	{
		name: "a first header of type 1 counts from zero",
		wire: wire("45 000007 000001 08 AF"),
		want: []Message{message(TypeAudio, 5, 0, 7, []byte{0xAF})},
	},
	{name: "a first header of type 2 is refused", wire: wire("85 000001 AF"), err: ErrProtocol},
	{name: "a first header of type 3 is refused", wire: wire("C5 AF"), err: ErrProtocol},
	{name: "a first header of type 3 in the long form is refused", wire: wire("C1 0001 AF"), err: ErrProtocol},
	{
		name: "chunk streams interleave and a chunk size applies within a message",
		wire: wire(
			"06 000028 00012C 09 01000000", fill(300)[:128],
			"04 000028 000005 08 01000000 AF01211005",
			"02 000000 000004 01 00000000 00001000",
			"C6", fill(300)[128:],
		),
		want: []Message{
			audio(4, 40, unhex("AF01211005")),
			message(TypeSetChunkSize, 2, 0, 0, unhex("00001000")),
			video(6, 40, fill(300)),
		},
	},
	{
		name: "two messages interleave chunk by chunk",
		wire: wire(
			"06 000001 000082 09 01000000", fill(130)[:128],
			"04 000002 000083 08 01000000", fill(131)[:128],
			"C6", fill(130)[128:], "C4", fill(131)[128:],
		),
		want: []Message{video(6, 1, fill(130)), audio(4, 2, fill(131))},
	},
	{
		name: "an empty message needs no payload",
		wire: wire("04 000000 000000 08 01000000  C4  84 000005  06 000000 000001 09 01000000 17"),
		want: []Message{audio(4, 0, nil), audio(4, 0, nil), audio(4, 5, nil), video(6, 0, []byte{0x17})},
	},
	{
		name: "a header of type 0 within a message is refused",
		wire: wire("06 000028 00012C 09 01000000", fill(128), "06 000028 00012C 09 01000000", fill(128)),
		err:  ErrProtocol,
	},
	{
		name: "a header of type 1 within a message is refused",
		wire: wire("06 000028 00012C 09 01000000", fill(128), "46 000000 FFFFFF 09", fill(128)),
		err:  ErrProtocol,
	},
	{
		name: "a header of type 2 within a message is refused",
		wire: wire("06 000028 00012C 09 01000000", fill(128), "86 000000", fill(128)),
		err:  ErrProtocol,
	},
}

var timestampCases = []readCase{
	{
		name: "the example of the specification, section 5.3.2.1",
		wire: wire("03 0003E8 000020 08 39300000", fill(32), "83 000014", fill(32), "C3", fill(32), "C3", fill(32)),
		want: []Message{
			message(TypeAudio, 3, 12345, 1000, fill(32)), message(TypeAudio, 3, 12345, 1020, fill(32)),
			message(TypeAudio, 3, 12345, 1040, fill(32)), message(TypeAudio, 3, 12345, 1060, fill(32)),
		},
	},
	{
		name: "the example of the specification, section 5.3.2.2",
		wire: wire("04 0003E8 000133 09 3A300000", fill(307)[:128], "C4", fill(307)[128:256], "C4", fill(307)[256:]),
		want: []Message{message(TypeVideo, 4, 12346, 1000, fill(307))},
	},
	{
		name: "FMLE takes its first timestamp for the delta",
		wire: wire("04 00001A 000001 08 01000000 AF C4 AF C4 AF"),
		want: []Message{audio(4, 26, []byte{0xAF}), audio(4, 52, []byte{0xAF}), audio(4, 78, []byte{0xAF})},
	},
	{
		name: "a first timestamp of one second is a delta still",
		wire: wire("04 0003E8 000001 08 01000000 AF C4 AF C4 AF"),
		want: []Message{audio(4, 1000, []byte{0xAF}), audio(4, 2000, []byte{0xAF}), audio(4, 3000, []byte{0xAF})},
	},
	{
		name: "a later first timestamp stays, as librtmp means it",
		wire: wire("04 0003E9 000001 08 01000000 AF C4 AF C4 AF 84 000005 AF C4 AF"),
		want: []Message{
			audio(4, 1001, []byte{0xAF}), audio(4, 1001, []byte{0xAF}), audio(4, 1001, []byte{0xAF}),
			audio(4, 1006, []byte{0xAF}), audio(4, 1011, []byte{0xAF}),
		},
	},
	{
		name: "a message of several chunks hides no first timestamp",
		wire: wire("04 00001A 000081 08 01000000", fill(128), "C4 00", "C4", fill(128), "C4 00"),
		want: []Message{audio(4, 26, wire(fill(128), "00")), audio(4, 52, wire(fill(128), "00"))},
	},
	{
		name: "a delta counts once a message",
		wire: wire("06 0003E8 000001 09 01000000 17", "46 000014 00012C 09", fill(300)[:128], "C6", fill(300)[128:256], "C6", fill(300)[256:]),
		want: []Message{video(6, 1000, []byte{0x17}), video(6, 1020, fill(300))},
	},
	{
		name: "0xFFFFFE has no extension",
		wire: wire("06 FFFFFE 000001 09 01000000 17"),
		want: []Message{video(6, 0xFFFFFE, []byte{0x17})},
	},
	{
		name: "0xFFFFFF has an extension",
		wire: wire("06 FFFFFF 000001 09 01000000 00FFFFFF 17"),
		want: []Message{video(6, 0xFFFFFF, []byte{0x17})},
	},
	{
		name: "the extension may be a small value and is repeated all the same",
		wire: wire("06 FFFFFF 0000C8 09 01000000 00000005", fill(200)[:128], "C6 00000005", fill(200)[128:]),
		want: []Message{video(6, 5, fill(200))},
	},
	{
		name: "a header without extension ends the repetition",
		wire: wire("06 FFFFFF 000001 09 01000000 01000000 17", "86 000001 17", "C6 17", "46 000001 000082 09", fill(130)[:128], "C6", fill(130)[128:]),
		want: []Message{
			video(6, 0x1000000, []byte{0x17}), video(6, 0x1000001, []byte{0x17}), video(6, 0x1000002, []byte{0x17}),
			video(6, 0x1000003, fill(130)),
		},
	},
	{
		name: "an extension of type 1 is a delta modulo 2^32",
		wire: wire("04 0003E8 000004 08 01000000 AF010203", "44 FFFFFF 000004 08 FFFFFFF6 AF010203"),
		want: []Message{audio(4, 1000, unhex("AF010203")), audio(4, 990, unhex("AF010203"))},
	},
	{
		name: "an extension of type 2 is a delta, and so it stays for type 3",
		wire: wire("04 0003E8 000001 08 01000000 AF", "84 FFFFFF 01000000 AF", "C4 01000000 AF", "C4 01000001 AF"),
		want: []Message{
			audio(4, 1000, []byte{0xAF}), audio(4, 1000+0x1000000, []byte{0xAF}),
			audio(4, 1000+0x2000000, []byte{0xAF}), audio(4, 1000+0x3000001, []byte{0xAF}),
		},
	},
	{
		name: "an extension of type 3 is a delta of its own",
		wire: wire("04 0003E8 000001 08 01000000 AF", "84 FFFFFF 01000000 AF", "C4 01000001 AF"),
		want: []Message{audio(4, 1000, []byte{0xAF}), audio(4, 1000+0x1000000, []byte{0xAF}), audio(4, 1000+0x2000001, []byte{0xAF})},
	},
	{
		name: "timestamps wrap at 2^32",
		wire: wire("04 FFFFFF 000001 08 01000000 FFFFFFF0 AF", "84 000020 AF"),
		want: []Message{audio(4, 0xFFFFFFF0, []byte{0xAF}), audio(4, 0x10, []byte{0xAF})},
	},
	{
		name: "an extended first timestamp is no delta",
		wire: wire("04 FFFFFF 000001 08 01000000 01000000 AF", "C4 01000000 AF"),
		want: []Message{audio(4, 0x1000000, []byte{0xAF}), audio(4, 0x1000000, []byte{0xAF})},
	},
}

// imitation is a payload whose second chunk starts like an extension.
func imitation(extension string) []byte {
	return wire(fill(128), extension, fill(124), extension, fill(20))
}

// Senders of extended timestamps: those that repeat them in continuation
// chunks as they should, those that leave them out, those that write zeros,
// and those that write the timestamp of the message.
var dialectCases = []readCase{
	{
		name: "the extension is repeated",
		wire: wire("06 FFFFFF 0000C8 09 01000000 01000000", fill(200)[:128], "C6 01000000", fill(200)[128:]),
		want: []Message{video(6, 0x1000000, fill(200))},
	},
	{
		name: "OBS before 30.1 omits the extension",
		wire: wire("06 FFFFFF 0000C8 09 01000000 01000000", fill(200)[:128], "C6", fill(200)[128:]),
		want: []Message{video(6, 0x1000000, fill(200))},
	},
	{
		name: "gortmplib writes zeros",
		wire: wire("06 FFFFFF 0000C8 09 01000000 01000000", fill(200)[:128], "C6 00000000", fill(200)[128:]),
		want: []Message{video(6, 0x1000000, fill(200))},
	},
	{
		name: "the extension is a delta and the timestamp is repeated",
		wire: wire("06 0003E8 000001 09 01000000 17", "46 FFFFFF 0000C8 09 01000000", fill(200)[:128], "C6 010003E8", fill(200)[128:]),
		want: []Message{video(6, 1000, []byte{0x17}), video(6, 0x10003E8, fill(200))},
	},
	{
		name: "the extension is a delta and is repeated",
		wire: wire("06 0003E8 000001 09 01000000 17", "46 FFFFFF 0000C8 09 01000000", fill(200)[:128], "C6 01000000", fill(200)[128:]),
		want: []Message{video(6, 1000, []byte{0x17}), video(6, 0x10003E8, fill(200))},
	},
	{
		name: "whoever repeated once repeats always, whatever the value",
		wire: wire("06 FFFFFF 000118 09 01000000 01000000", fill(280)[:128], "C6 01000000", fill(280)[128:256], "C6 DEADBEEF", fill(280)[256:]),
		want: []Message{video(6, 0x1000000, fill(280))},
	},
	{
		name: "what a continuation repeats is no delta",
		wire: wire(
			"06 FFFFFF 0000C8 09 01000000 01000000", fill(200)[:128], "C6 01000000", fill(200)[128:],
			"C6 01000000", fill(200)[:128], "C6 DEADBEEF", fill(200)[128:],
			"C6 01000000", fill(200)[:128], "C6 01000000", fill(200)[128:],
		),
		want: []Message{video(6, 0x1000000, fill(200)), video(6, 0x1000000, fill(200)), video(6, 0x1000000, fill(200))},
	},
	{
		name: "whoever repeated on one chunk stream repeats on all",
		wire: wire(
			"06 FFFFFF 0000C8 09 01000000 01000000", fill(200)[:128], "C6 01000000", fill(200)[128:],
			"04 FFFFFF 000118 08 01000000 01000000", imitation("01000000")[:128], "C4 01000000", imitation("01000000")[128:256],
			"C4 01000000", imitation("01000000")[256:],
		),
		want: []Message{video(6, 0x1000000, fill(200)), audio(4, 0x1000000, imitation("01000000"))},
	},
	{
		name: "whoever omitted once omits always, whatever the payload",
		wire: wire(
			"06 FFFFFF 0000C8 09 01000000 01000000", fill(200)[:128], "C6", fill(200)[128:],
			"04 FFFFFF 000118 08 01000000 01000000", imitation("01000000")[:128], "C4", imitation("01000000")[128:256],
			"C4", imitation("01000000")[256:],
			"C4", imitation("00000000")[:128], "C4", imitation("00000000")[128:256], "C4", imitation("00000000")[256:],
		),
		want: []Message{
			video(6, 0x1000000, fill(200)), audio(4, 0x1000000, imitation("01000000")), audio(4, 0x1000000, imitation("00000000")),
		},
	},
	{
		name: "the last bytes of the stream are too few for an extension",
		wire: wire("06 FFFFFF 000081 09 01000000 01000000", fill(129)[:128], "C6", fill(129)[128:]),
		want: []Message{video(6, 0x1000000, fill(129))},
	},
}

func setChunkSize(size string) string { return "02 000000 000004 01 00000000" + size }

func chunkSizeMessage(size string) Message {
	return message(TypeSetChunkSize, 2, 0, 0, unhex(size))
}

func abort(csid string) string { return "02 000000 000004 02 00000000" + csid }

func abortMessage(csid string) Message { return message(TypeAbort, 2, 0, 0, unhex(csid)) }

var chunkControlCases = []readCase{
	{
		name: "chunk size 1",
		wire: wire(setChunkSize("00000001"), "06 000001 000003 09 01000000 17 C6 01 C6 02"),
		want: []Message{chunkSizeMessage("00000001"), video(6, 1, unhex("170102"))},
	},
	{
		name: "chunk size 127",
		wire: wire(setChunkSize("0000007F"), "06 000001 000080 09 01000000", fill(128)[:127], "C6", fill(128)[127:]),
		want: []Message{chunkSizeMessage("0000007F"), video(6, 1, fill(128))},
	},
	{
		name: "chunk size 65537",
		wire: wire(setChunkSize("00010001"), "06 000001 010002 09 01000000", fill(65538)[:65537], "C6", fill(65538)[65537:]),
		want: []Message{chunkSizeMessage("00010001"), video(6, 1, fill(65538))},
	},
	{
		name: "chunk size 10000000",
		wire: wire(setChunkSize("00989680"), "06 000001 04B000 09 01000000", fill(300<<10)),
		want: []Message{chunkSizeMessage("00989680"), video(6, 1, fill(300<<10))},
	},
	{
		name: "the largest chunk size",
		wire: wire(setChunkSize("7FFFFFFF"), "06 000001 04B000 09 01000000", fill(300<<10)),
		want: []Message{chunkSizeMessage("7FFFFFFF"), video(6, 1, fill(300<<10))},
	},
	{name: "chunk size 0 is refused", wire: wire(setChunkSize("00000000"), "06"), err: ErrProtocol},
	{name: "a chunk size with the top bit is refused", wire: wire(setChunkSize("80000000"), "06"), err: ErrProtocol},
	{name: "a short chunk size is refused", wire: wire("02 000000 000003 01 00000000 001000 06"), err: ErrProtocol},
	{name: "an empty chunk size is refused", wire: wire("02 000000 000000 01 00000000 06"), err: ErrProtocol},
	{
		name: "a chunk size of more than 4 bytes is tolerated",
		wire: wire("02 000000 000005 01 00000000 00001000FF", "06 000001 000081 09 01000000", fill(129)),
		want: []Message{chunkSizeMessage("00001000FF"), video(6, 1, fill(129))},
	},
	{
		name: "a chunk size counts on any chunk stream and message stream",
		wire: wire("03 000000 000004 01 01000000 00001000", "06 000001 000081 09 01000000", fill(129)),
		want: []Message{message(TypeSetChunkSize, 3, 1, 0, unhex("00001000")), video(6, 1, fill(129))},
	},
	{
		name: "the chunk size grows and shrinks within a message",
		wire: wire(
			"06 000001 0001F4 09 01000000", fill(500)[:128],
			setChunkSize("0000012C"), "C6", fill(500)[128:428],
			setChunkSize("0000000A"), "C6", fill(500)[428:438], "C6", fill(500)[438:448],
			setChunkSize("00001000"), "C6", fill(500)[448:],
		),
		want: []Message{
			chunkSizeMessage("0000012C"), chunkSizeMessage("0000000A"), chunkSizeMessage("00001000"), video(6, 1, fill(500)),
		},
	},
	{
		name: "an abort drops the message but not its header",
		wire: wire(
			"06 000028 0000C8 09 01000000", fill(128),
			abort("00000006"), "C6", fill(200)[:128], "C6", fill(200)[128:], "86 000001", fill(200)[:128], "C6", fill(200)[128:],
		),
		want: []Message{abortMessage("00000006"), video(6, 80, fill(200)), video(6, 81, fill(200))},
	},
	{
		name: "any header may follow an abort",
		wire: wire("06 000028 0000C8 09 01000000", fill(128), abort("00000006"), "06 000032 000001 09 01000000 17"),
		want: []Message{abortMessage("00000006"), video(6, 50, []byte{0x17})},
	},
	{
		name: "an abort leaves other chunk streams alone",
		wire: wire(
			"06 000028 000081 09 01000000", fill(129)[:128], "04 000028 000081 08 01000000", fill(129)[:128],
			abort("00000006"), "C4", fill(129)[128:],
		),
		want: []Message{abortMessage("00000006"), audio(4, 40, fill(129))},
	},
	{
		name: "an abort of an unknown chunk stream is ignored",
		wire: wire(abort("00000063"), "06 000001 000001 09 01000000 17"),
		want: []Message{abortMessage("00000063"), video(6, 1, []byte{0x17})},
	},
	{
		name: "an abort of an idle chunk stream is ignored",
		wire: wire("06 000001 000001 09 01000000 17", abort("00000006"), "86 000001 17"),
		want: []Message{video(6, 1, []byte{0x17}), abortMessage("00000006"), video(6, 2, []byte{0x17})},
	},
	{
		name: "an abort of its own chunk stream is ignored",
		wire: wire(abort("00000002"), "C2 00000006"),
		want: []Message{abortMessage("00000002"), abortMessage("00000006")},
	},
	{
		name: "an abort of a drained message",
		wire: wire("06 000028 0000C8 63 01000000", fill(128), abort("00000006"), "46 000001 000001 09 17"),
		want: []Message{abortMessage("00000006"), video(6, 41, []byte{0x17})},
	},
	{name: "a short abort is refused", wire: wire("02 000000 000003 02 00000000 000006"), err: ErrProtocol},
	{
		name: "other control messages are returned as they are",
		wire: wire("02 000000 000001 03 00000000 00", "05 000000 000005 06 00000000 0026 25A002", "C5 0026 25A001", "02 000000 000002 04 00000000 001A"),
		want: []Message{
			message(TypeAcknowledgement, 2, 0, 0, []byte{0}),
			message(TypeSetPeerBandwidth, 5, 0, 0, unhex("002625A002")), message(TypeSetPeerBandwidth, 5, 0, 0, unhex("002625A001")),
			message(TypeUserControl, 2, 0, 0, unhex("001A")),
		},
	},
}
