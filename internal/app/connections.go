package app

import "log/slog"

// reservedFiles is how many files are kept for what is open beside connections:
// the callback's up to 80 requests, Redis or the control server, the ports with a
// spare file each, certificates, STATE_DIR, the log, the runtime's own, connections
// that are being refused, and the pipes of passes: two files each, some for each pass
// that is under way. Where there are none left, the passes do without.
const reservedFiles = 128

// connections returns how many connections of clients there may be, over all
// protocols: as many as the setting says, and as the limit of open files allows
// beside as many of the administration as given. 0 means any number.
func connections(setting, files, administration int, log *slog.Logger) int {
	if files == 0 {
		return setting
	}
	room := files - min(reservedFiles+administration, files/2)
	if setting > room {
		log.Warn("the limit of open files allows fewer connections than MAX_CONNECTIONS",
			"connections", room, "open_files", files)
	}
	if setting == 0 || setting > room {
		setting = room
	}
	log.Info("room for connections", "connections", setting, "open_files", files)
	return setting
}
