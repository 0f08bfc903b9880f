package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// nginxModule is where Debian's libnginx-mod-rtmp puts it.
const nginxModule = "/usr/lib/nginx/modules/ngx_rtmp_module.so"

// nginxConfig leaves everything at its default but what thousands of players
// need.
const nginxConfig = `load_module %s;
daemon off;
master_process off;
worker_rlimit_nofile 65536;
pid %s/nginx.pid;
error_log stderr error;
events {
	worker_connections 20000;
}
rtmp {
	access_log off;
	server {
		listen 127.0.0.1:%d;
		application live {
			live on;
		}
	}
}
`

func nginxServer() contender {
	return contender{name: nginx, scheme: "rtmp", path: "/live/bench{n}",
		command: func(_ places, dir string, port int) (command, error) {
			file := filepath.Join(dir, "nginx.conf")
			text := fmt.Sprintf(nginxConfig, nginxModule, dir, port)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				return command{}, err
			}
			return command{args: []string{"nginx", "-e", "stderr", "-p", dir, "-c", file}}, nil
		}}
}
