@echo off
setlocal
set "root=%~dp0.."
set "node="
if exist "%root%\.tools\node-path" set /p node=<"%root%\.tools\node-path"
if defined node if exist "%root%\.tools\%node%" set "node=%root%\.tools\%node%"
if not defined node (
  node -e "process.exit(parseInt(process.versions.node) < 24)" 2>nul && set "node=node"
)
if not defined node goto :notready
if not exist "%root%\packages\cli\dist" goto :notready
"%node%" "%root%\packages\cli\bin\holm.js" %*
exit /b %errorlevel%

:notready
echo holm is not set up yet: run npm start first 1>&2
exit /b 5
