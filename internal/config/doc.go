// Package config turns the environment into the [Settings] of the server.
//
// Every setting is one row of the table in table.go: its name, default, meaning and field. The values, the list of mistakes,
// the text of --help, the table in the documentation and the line that the server logs at its start all come from that table. To
// add a setting, add its field to Settings and its row to the table.
//
// Nothing else reads the environment. The other packages take what they need of Settings as options of their own.
package config
