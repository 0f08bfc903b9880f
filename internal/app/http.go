package app

import (
	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/httpflv"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// newHTTP builds the server of viewers over HTTP, which shares its bounds with that
// of RTMP.
func (a *App) newHTTP(s config.Settings, registry *stream.Registry, doors doors, places int) *httpflv.Server {
	options := httpflv.Options{
		Registry:     registry,
		Host:         a.server,
		MaxNewcomers: server.Newcomers(places),
		Limiter:      doors.limiter,
		Guesses:      doors.guesses,
		Players:      s.PlayWhitelist,
		IDMaxLength:  s.IDMaxLength,
		PlayWait:     s.PlayWait,
		Origin:       s.HTTP.Origin,
		HEVC:         hevcForms[s.PlayHEVC],
		Ended:        a.ended,
		Log:          a.log,
		Panics:       a.panics,
		LogRequests:  s.LogRequests,
	}
	if s.PlayEnhanced == config.PlayPermissive {
		options.Enhanced = media.AllCodecs
	}
	if options.HEVC == media.HEVCByFourCC && options.Enhanced == 0 {
		options.HEVC = media.HEVCAsPublished
	}
	return httpflv.New(options)
}

// hevcForms are the forms of H.265 for viewers over HTTP, who announce nothing.
var hevcForms = map[config.PlayHEVC]media.HEVCForm{
	config.HEVCAuto:      media.HEVCAsPublished,
	config.HEVCFourCC:    media.HEVCByFourCC,
	config.HEVCLegacy:    media.HEVCByCodecID,
	config.HEVCPublished: media.HEVCAsPublished,
}
