// Reads a stream with Go's own mime/multipart and writes, for each part, a line with the Unix time at which it was
// complete and its length, then the part itself; at the stream's proper end a line "end".
//
// usage: stream URL COUNT EVERY; EVERY (0, or 250ms) is how long it lets a part wait before it reads the next one.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	count, err := strconv.Atoi(os.Args[2])
	check(err)
	every, err := time.ParseDuration(os.Args[3])
	check(err)
	response, err := http.Get(os.Args[1])
	check(err)
	_, parameters, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	check(err)
	parts := multipart.NewReader(response.Body, parameters["boundary"])
	out := bufio.NewWriter(os.Stdout)
	next := time.Now()
	for ; count > 0; count-- {
		time.Sleep(time.Until(next))
		next = time.Now().Add(every)
		part, err := parts.NextPart()
		if err == io.EOF {
			fmt.Fprintln(out, "end")
			break
		}
		check(err)
		data, err := io.ReadAll(part)
		check(err)
		fmt.Fprintf(out, "%.6f %d\n", float64(time.Now().UnixMicro())/1e6, len(data))
		_, err = out.Write(data)
		check(err)
		check(out.Flush())
	}
	check(out.Flush())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
