@echo off
rem Starts Darkroom; the first time it sets itself up.
cd /d "%~dp0"
setlocal
for %%p in ("py -3" python python3) do (
  %%~p -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>&1
  if not errorlevel 1 (
    %%~p program\start.py %*
    if errorlevel 1 pause
    exit /b
  )
)
echo Darkroom needs Python 3.11 or newer, and none was found.
echo Get it from https://www.python.org/downloads and tick "Add python.exe to PATH".
pause
exit /b 1
